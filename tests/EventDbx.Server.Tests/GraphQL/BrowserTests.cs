using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>The page in a real browser, where there is one: Chromium, driven over its own protocol.</summary>
public sealed class BrowserTests(RestServer server) : IClassFixture<RestServer>
{
    static readonly string? Chromium = ((string[])["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]).FirstOrDefault(File.Exists);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_query_and_a_subscription_run_in_the_page_and_nothing_is_fetched_from_elsewhere()
    {
        if (Chromium is null)
            Assert.Skip("no Chromium here: the page was not loaded in a browser (Debian: apt-get install chromium)");
        if (TestTiers.Current == TestTier.Default)
            Assert.Skip("a browser is started in CI only");
        await server.AppendAsync("shown", "in-the-page", "e", """{"n":1}""");
        await using var browser = await Browser.StartAsync(Chromium);
        await browser.CallAsync("Network.enable");
        await browser.CallAsync("Page.enable");
        await browser.CallAsync("Log.enable");
        await browser.CallAsync("Page.navigate", new { url = $"http://127.0.0.1:{server.Host.Port}/graphql" });
        await browser.UntilAsync("document.querySelector('.graphiql-execute-button') !== null && document.querySelector('#token') !== null");

        // As a person types it.
        await browser.EvaluateAsync("document.querySelector('#token').focus()");
        await browser.CallAsync("Input.insertText", new { text = server.Root });
        Assert.Equal("true", await browser.EvaluateAsync($"sessionStorage.getItem('eventdbx.token') === '{server.Root}' && !JSON.stringify(localStorage).includes('{server.Root}')"));
        await browser.UntilAsync("document.querySelector('.graphiql-execute-button') !== null");
        await browser.EvaluateAsync("document.querySelector('.graphiql-execute-button').click()");
        await browser.UntilAsync("document.querySelector('.result-window')?.innerText.includes('in-the-page') === true");
        // The schema came with the token, so its documentation is there.
        await browser.EvaluateAsync("document.querySelector('[aria-label*=\"Documentation Explorer\"]').click()");
        await browser.UntilAsync("document.body.innerText.includes('AggregatePage')");

        await browser.EvaluateAsync("document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('subscription Live { events { event { aggregate_id payload } } }')");
        // The editor looks at what was typed a moment later.
        await browser.UntilAsync("document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.operationName === 'Live'");
        await browser.EvaluateAsync("document.querySelector('.graphiql-execute-button').click()");
        await browser.UntilAsync("document.querySelector('.result-window')?.innerText.includes('payload') === true");
        await server.AppendAsync("shown", "later", "e", """{"n":2}""");
        await browser.UntilAsync("document.querySelector('.result-window')?.innerText.includes('later') === true");

        Assert.NotEmpty(browser.Requested);
        Assert.All(browser.Requested, url => Assert.True(
            url.StartsWith($"http://127.0.0.1:{server.Host.Port}/", StringComparison.Ordinal) || url.StartsWith($"ws://127.0.0.1:{server.Host.Port}/", StringComparison.Ordinal) || url.StartsWith("data:", StringComparison.Ordinal), url));
        Assert.Empty(browser.Refused);
    }

    /// <summary>Chromium without a window.</summary>
    sealed class Browser : IAsyncDisposable
    {
        readonly Process _process;
        readonly TemporaryDirectory _profile;
        readonly ClientWebSocket _socket = new();
        int _calls;

        Browser(Process process, TemporaryDirectory profile) => (_process, _profile) = (process, profile);

        /// <summary>Every address that the page asked for.</summary>
        public List<string> Requested { get; } = [];

        /// <summary>What the policy of the page did not allow.</summary>
        public List<string> Refused { get; } = [];

        public static async Task<Browser> StartAsync(string program)
        {
            var profile = new TemporaryDirectory();
            var start = new ProcessStartInfo(program) { RedirectStandardError = true, RedirectStandardOutput = true };
            foreach (var argument in (string[])["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--disable-background-networking", "--remote-debugging-port=0", $"--user-data-dir={profile.Path}", "about:blank"])
                start.ArgumentList.Add(argument);
            var browser = new Browser(Process.Start(start)!, profile);
            string? line;
            while ((line = await browser._process.StandardError.ReadLineAsync(Cancellation)) is not null && !line.StartsWith("DevTools listening on ", StringComparison.Ordinal))
            {
            }

            Assert.NotNull(line);
            _ = browser._process.StandardError.BaseStream.CopyToAsync(Stream.Null, CancellationToken.None);
            var port = new Uri(line["DevTools listening on ".Length..]).Port;
            using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            var pages = JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/json/list"), Cancellation)).RootElement;
            browser._socket.Options.Proxy = null;
            await browser._socket.ConnectAsync(new(pages.EnumerateArray().First(page => page.GetProperty("type").GetString() == "page").GetProperty("webSocketDebuggerUrl").GetString()!), Cancellation);
            return browser;
        }

        public async Task<JsonElement> CallAsync(string method, object? parameters = null)
        {
            var id = ++_calls;
            await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object?> { ["id"] = id, ["method"] = method, ["params"] = parameters ?? new { } }), WebSocketMessageType.Text, true, Cancellation);
            while (true)
            {
                var message = await ReceiveAsync();
                if (message.TryGetProperty("id", out var answered) && answered.GetInt32() == id)
                    return message.GetProperty("result");
                Note(message);
            }
        }

        public async Task<string> EvaluateAsync(string expression)
        {
            var result = await CallAsync("Runtime.evaluate", new { expression });
            Assert.False(result.TryGetProperty("exceptionDetails", out var failed), $"{expression}: {failed}");
            return result.GetProperty("result").TryGetProperty("value", out var value) ? value.GetRawText() : "";
        }

        /// <summary>Asks again until it is so.</summary>
        public async Task UntilAsync(string expression)
        {
            using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            late.CancelAfter(TimeSpan.FromSeconds(60));
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            while (await EvaluateAsync(expression) != "true")
            {
                if (late.IsCancellationRequested)
                    Assert.Fail($"{expression} did not come true; the page says: {await EvaluateAsync("document.body.innerText")} {string.Join(" | ", Refused)}");
                await timer.WaitForNextTickAsync(Cancellation);
            }
        }

        void Note(JsonElement message)
        {
            if (!message.TryGetProperty("method", out var method))
                return;
            var parameters = message.GetProperty("params");
            switch (method.GetString())
            {
                case "Network.requestWillBeSent":
                    Requested.Add(parameters.GetProperty("request").GetProperty("url").GetString()!);
                    break;
                case "Network.webSocketCreated":
                    Requested.Add(parameters.GetProperty("url").GetString()!);
                    break;
                case "Log.entryAdded" when parameters.GetProperty("entry").GetProperty("text").GetString() is { } text && text.Contains("Content Security Policy", StringComparison.Ordinal):
                    Refused.Add(text);
                    break;
            }
        }

        async Task<JsonElement> ReceiveAsync()
        {
            using var text = new MemoryStream();
            var piece = new byte[64 * 1024];
            WebSocketReceiveResult read;
            do
            {
                read = await _socket.ReceiveAsync(piece, Cancellation);
                text.Write(piece, 0, read.Count);
            }
            while (!read.EndOfMessage);
            return JsonDocument.Parse(Encoding.UTF8.GetString(text.ToArray())).RootElement;
        }

        public async ValueTask DisposeAsync()
        {
            _socket.Dispose();
            if (!_process.HasExited)
                _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
            _process.Dispose();
            _profile.Dispose();
        }
    }
}
