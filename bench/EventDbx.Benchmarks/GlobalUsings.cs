global using System.Diagnostics;
global using System.Text;

global using EventDbx.Storage;
global using EventDbx.Storage.RocksDb;
