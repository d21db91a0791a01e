// The demo's start page: its pictures, each with links that render it and that save it.

const COMMANDS = [
  'wid=800',
  'wid=600&hei=600&fit=crop&fmt=webp',
  'wid=500&hei=500&bgc=ffcc66&fmt=png',
  'wid=400&rotate=12&fmt=png-alpha',
];

export function indexPage(pictures: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>express-image-save</title>
    <style>
      :root { color-scheme: light dark; }
      body { max-width: 70rem; margin: 0 auto; padding: 2rem 1rem; font: 1rem/1.5 system-ui, sans-serif; }
      main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 2rem; }
      img { width: 100%; aspect-ratio: 3 / 2; object-fit: cover; border-radius: 0.5rem; }
      h2 { margin: 0.5rem 0 0; font-size: 1.1rem; text-transform: capitalize; }
      ul { margin: 0; padding: 0; list-style: none; }
      li { display: flex; justify-content: space-between; gap: 1rem; }
      a:first-child { overflow-wrap: anywhere; }
    </style>
  </head>
  <body>
    <h1>express-image-save</h1>
    <p>Each link shows a picture as its commands ask for it. The <em>save</em> beside it is the same request with
      <code>req=saveToFile</code>: it answers with what has been saved. The files are below
      <code>/saved/</code>.</p>
    <main>${pictures.map(card).join('')}
    </main>
  </body>
</html>
`;
}

function card(picture: string): string {
  const url = `/is/image/${encodeURIComponent(picture)}`;
  return `
      <section>
        <img src="${url}?wid=600" alt="" loading="lazy">
        <h2>${escaped(picture)}</h2>
        <ul>${COMMANDS.map((commands, i) => links(url, commands, `${picture}-${i + 1}`)).join('')}
        </ul>
      </section>`;
}

function links(url: string, commands: string, name: string): string {
  const extension = /fmt=(\w+)/.exec(commands)?.[1] ?? 'jpg';
  const save = `${url}?${commands}&req=saveToFile&name=${encodeURIComponent(name)}.${extension}`;
  return `
          <li><a href="${escaped(`${url}?${commands}`)}">${escaped(commands)}</a> <a href="${escaped(save)}">save</a></li>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
