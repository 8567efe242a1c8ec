// From src/ and the packages of package-lock.json to src/EventDbx.Server/GraphQL/Page/: what the server embeds.
//
//   npm ci && npm run build       (in this directory; the same packages give the same bytes)
//
// Gzipped, which every browser takes over plain HTTP, too.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const out = '../../src/EventDbx.Server/GraphQL/Page';
const gzip = bytes => {
  const packed = gzipSync(bytes, { level: 9 });
  packed[9] = 255; // No operating system: the same bytes on each.
  return packed;
};

const made = await build({
  entryPoints: { page: 'src/page.jsx', style: 'src/style.css' },
  outdir: 'out', bundle: true, minify: true, write: false, metafile: true,
  format: 'iife', target: 'es2020', jsx: 'automatic', legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
});

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
for (const output of made.outputFiles) {
  const file = { path: output.path, contents: output.contents };
  const kind = file.path.endsWith('.js') ? 'js' : 'css';
  if ((kind === 'js') !== file.path.includes('page.')) continue; // The page imports no style of its own.
  // Its typefaces are two thirds of it, and every system has some: page.css names those.
  if (kind === 'css') file.contents = Buffer.from(Buffer.from(file.contents).toString('utf8').replaceAll(/@font-face\{[^}]*\}/g, ''));
  const name = `page.${kind}`;
  writeFileSync(`${out}/${name}.gz`, gzip(file.contents));
  console.log(`${name}: ${file.contents.length} bytes, ${gzip(file.contents).length} gzipped`);
}

copyFileSync('src/index.html', `${out}/index.html`);

// The licence of everything that went in.
const packages = new Set();
for (const input of Object.keys(made.metafile.inputs)) {
  const found = [...input.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].pop();
  if (found) packages.add(input.slice(0, found.index + found[0].length));
}

let notice = 'The page of GET /graphql is made of these packages, bundled by tools/graphql-page/build.mjs. Their licences follow.\n';
for (const directory of [...packages].sort((left, right) => (left < right ? -1 : 1))) {
  const about = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
  const licence = readdirSync(directory).find(name => /^licen[cs]e/i.test(name));
  notice += `\n${'-'.repeat(80)}\n${about.name} ${about.version} (${about.license})\n`;
  if (licence) notice += `\n${readFileSync(`${directory}/${licence}`, 'utf8').trim()}\n`;
}

writeFileSync(`${out}/NOTICE`, notice);
