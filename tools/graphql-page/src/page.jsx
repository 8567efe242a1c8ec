import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createClient } from 'graphql-ws';
import { useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';

const path = '/graphql';
const tokenKey = 'eventdbx.token';

const firstQuery = `# EventDBX. Put a token in the box above, then press the button with the arrow (or Ctrl+Enter).
# The book on the left has every field; the clock has what you ran before.

query RecentAggregates($take: Int = 5) {
  aggregates(take: $take) {
    aggregate_type
    aggregate_id
    version
    merkle_root
    state
  }
}
`;

/** Kept for this tab only, and never where other tabs or a later visit would find it. */
function readToken() {
  try {
    return sessionStorage.getItem(tokenKey) ?? '';
  } catch {
    return '';
  }
}

function keepToken(token) {
  try {
    if (token) sessionStorage.setItem(tokenKey, token);
    else sessionStorage.removeItem(tokenKey);
  } catch {
    // A browser that keeps nothing: the token is good until the page is loaded again.
  }
}

/** "Bearer x" and "x" are the same to whoever pastes one. */
const bearer = token => `Bearer ${token.trim().replace(/^Bearer\s+/i, '')}`;

function Page() {
  const [token, setToken] = useState(readToken);
  const [shown, setShown] = useState(false);
  const socket = useMemo(() => createClient({
    url: `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${path}`,
    connectionParams: () => (token.trim() ? { authorization: bearer(token) } : {}),
    retryAttempts: 0,
  }), [token]);
  useEffect(() => () => void socket.dispose(), [socket]);
  const fetcher = useMemo(() => createGraphiQLFetcher({
    url: path,
    wsClient: socket,
    headers: token.trim() ? { authorization: bearer(token) } : {},
  }), [socket, token]);

  return (
    <>
      <form className="token" onSubmit={event => event.preventDefault()} autoComplete="off">
        <strong>EventDBX</strong>
        <label htmlFor="token">Token</label>
        <input
          id="token"
          type={shown ? 'text' : 'password'}
          value={token}
          placeholder="dbx token generate --group … --user …"
          autoComplete="off"
          spellCheck={false}
          onChange={event => {
            setToken(event.target.value);
            keepToken(event.target.value);
          }}
        />
        <button type="button" onClick={() => setShown(!shown)}>{shown ? 'Hide' : 'Show'}</button>
        <button type="button" onClick={() => { setToken(''); keepToken(''); }}>Forget</button>
        <span className="kept">kept in this tab only</span>
      </form>
      <div className="ide">
        {/* Its own tab of headers would keep them where other tabs find them. */}
        <GraphiQL key={token ? 'with' : 'without'} fetcher={fetcher} defaultQuery={firstQuery} isHeadersEditorEnabled={false} shouldPersistHeaders={false} />
      </div>
    </>
  );
}

createRoot(document.getElementById('page')).render(<Page />);
