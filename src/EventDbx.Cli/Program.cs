Console.WriteLine("dbx");
