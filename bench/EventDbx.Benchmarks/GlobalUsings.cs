global using System.Diagnostics;
global using System.Text;

global using EventDbx.Encryption;
global using EventDbx.Events;
global using EventDbx.Storage;
global using EventDbx.Storage.RocksDb;
