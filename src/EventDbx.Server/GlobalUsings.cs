global using EventDbx.Access;
global using EventDbx.Events;
