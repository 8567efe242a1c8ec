global using EventDbx.Events;
global using EventDbx.Integrity;
global using EventDbx.Storage;
