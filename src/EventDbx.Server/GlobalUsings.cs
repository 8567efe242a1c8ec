global using System.Text;
global using EventDbx.Access;
global using EventDbx.Checkpoints;
global using EventDbx.Events;
