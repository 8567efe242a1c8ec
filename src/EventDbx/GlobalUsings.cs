global using EventDbx.Events;
global using EventDbx.Storage;
