'use strict';
(async () => {
  const main = document.getElementById('operations');
  const token = document.getElementById('token');
  const headers = () => token.value.trim() ? { Authorization: 'Bearer ' + token.value.trim() } : {};

  // Everything is text: nothing of the document, or of an answer, becomes markup.
  const make = (name, text, ...children) => {
    const one = document.createElement(name);
    if (text !== null) one.textContent = text;
    one.append(...children);
    return one;
  };

  const load = async () => {
    const answer = await fetch('/openapi.json', { headers: headers() });
    if (answer.status === 401) throw new Error('This server shows its routes to who has a token (api.public_docs). Enter one above.');
    if (!answer.ok) throw new Error('/openapi.json answered ' + answer.status + '.');
    return answer.json();
  };

  const show = api => {
    document.getElementById('version').textContent = api.info.version;
    main.replaceChildren(make('p', api.info.description));
    const find = pointer => pointer.slice(2).split('/').reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], api);
    const resolve = one => one && one.$ref ? { ...find(one.$ref), ...one, $ref: undefined } : one;
    const json = value => JSON.stringify(value, null, 2);

    const shape = (schema, depth = 0) => {
      if (schema === true) return 'any';
      if (schema.$ref && depth > 3) return schema.$ref.split('/').pop();
      const it = resolve(schema);
      if (it.allOf) return it.allOf.map(one => shape(one, depth)).join(' and ');
      if (it.oneOf) return it.oneOf.map(one => shape(one, depth)).join('\nor ');
      if ('const' in it) return json(it.const);
      if (it.enum) return it.enum.map(json).join(' | ');
      if (it.type === 'array' || (Array.isArray(it.type) && it.items)) return '[' + shape(it.items, depth) + ']';
      if (it.properties) {
        const pad = '  '.repeat(depth + 1);
        return '{\n' + Object.entries(it.properties).map(([name, member]) =>
          pad + name + (it.required?.includes(name) ? '' : '?') + ': ' + shape(member, depth + 1)).join('\n') + '\n' + '  '.repeat(depth) + '}';
      }
      return [].concat(it.type ?? 'any').join(' | ') + (it.format ? ' (' + it.format + ')' : '');
    };

    const tryIt = (method, path, parameters, body) => {
      const fields = parameters.map(one => {
        const input = make('input', null);
        input.placeholder = one.example ?? '';
        return [one, input];
      });
      const text = body ? make('textarea', null) : null;
      if (text) text.value = json(body.example ?? {});
      const send = make('button', 'Send');
      const result = make('pre', '');
      result.hidden = true;
      send.addEventListener('click', async () => {
        const query = new URLSearchParams();
        const sent = headers();
        let target = path;
        for (const [one, input] of fields) {
          if (one.in === 'path') target = target.replace('{' + one.name + '}', one.name === 'index' ? input.value : encodeURIComponent(input.value));
          else if (input.value && one.in === 'query') query.set(one.name, input.value);
          else if (input.value) sent[one.name] = input.value;
        }
        if (text && text.value.trim()) sent['Content-Type'] = 'application/json';
        result.hidden = false;
        result.textContent = '…';
        try {
          const answer = await fetch(target + (query.size ? '?' + query : ''), { method, headers: sent, body: text && text.value.trim() ? text.value : undefined });
          const said = await answer.text();
          let pretty = said;
          // As it came where numbers have more digits than this language keeps.
          if (answer.headers.get('Content-Type') === 'application/json' && !/\d{16}/.test(said)) try { pretty = json(JSON.parse(said)); } catch { }
          result.textContent = answer.status + ' ' + answer.statusText + '\n' + [...answer.headers].map(([name, value]) => name + ': ' + value).join('\n') + '\n\n' + pretty;
        } catch (failed) {
          result.textContent = String(failed);
        }
      });
      const table = make('table', null, ...fields.map(([one, input]) =>
        make('tr', null, make('td', null, make('code', one.name)), make('td', null, input), make('td', one.in + (one.required ? ', required' : '') + '. ' + (one.description ?? '')))));
      return [make('h3', 'Try it'), table, ...(text ? [text] : []), make('p', null, send), result];
    };

    const operation = (method, path, op) => {
      const parameters = (op.parameters ?? []).map(resolve);
      const body = op.requestBody?.content['application/json'];
      const all = make('div', null, make('p', op.description));
      if (body) all.append(make('h3', 'Body'), make('pre', shape(body.schema)));
      all.append(make('h3', 'Answers'), make('table', null, ...Object.entries(op.responses).map(([status, answer]) =>
        make('tr', null, make('td', status), make('td', answer.description)))));
      for (const [status, answer] of Object.entries(op.responses)) {
        if (status >= '400') continue;
        for (const [media, content] of Object.entries(answer.content ?? {})) {
          all.append(make('h3', status + ' ' + media), make('pre', shape(content.schema)));
          if ('example' in content) all.append(make('pre', typeof content.example === 'string' ? content.example : json(content.example)));
        }
      }
      all.append(...tryIt(method.toUpperCase(), path, parameters, body));
      const summary = make('summary', null, make('span', method.toUpperCase()), make('code', path), ' — ' + op.summary);
      summary.firstChild.className = 'method';
      const one = make('details', null, summary, all);
      one.className = 'operation';
      one.id = op.operationId;
      return one;
    };

    for (const { name } of api.tags) {
      main.append(make('h2', name));
      for (const [path, item] of Object.entries(api.paths))
        for (const [method, op] of Object.entries(item))
          if (op.tags.includes(name)) main.append(operation(method, path, op));
    }
    document.getElementById('find').addEventListener('input', event => {
      for (const one of main.querySelectorAll('details')) one.hidden = !one.textContent.toLowerCase().includes(event.target.value.toLowerCase());
    });
    if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute('open', '');
    document.body.dataset.shown = 'true';
  };

  const begin = async () => {
    try {
      show(await load());
      token.removeEventListener('change', begin);
    } catch (failed) {
      main.replaceChildren(make('p', failed.message));
      token.addEventListener('change', begin);
    }
  };
  await begin();
})();
