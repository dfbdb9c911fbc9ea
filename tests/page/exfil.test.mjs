/* Nothing leaves the page. The same attacks run twice against a server of our own that counts whatever
 * arrives: in a plain page, where every channel must leak (else the attack proves nothing), and inside the
 * tool, in its own frame and as its own script, where none may. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { browsers, openPage, withBrowser } from './browser.mjs';

const QUIET_MS = 1500;

/* Channels by name; each gets the address of its own path. They run in the browser. */
const requests = {
  fetch: (at) => void fetch(at).catch(() => {}),
  'fetch no-cors': (at) => void fetch(at, { mode: 'no-cors', method: 'POST', body: 'x' }).catch(() => {}),
  'fetch keepalive': (at) => void fetch(at, { mode: 'no-cors', keepalive: true, method: 'POST', body: 'x' }).catch(() => {}),
  xhr: (at) => { const request = new XMLHttpRequest(); request.open('GET', at); request.send(); },
  beacon: (at) => navigator.sendBeacon(at, 'x'),
  websocket: (at) => new WebSocket(at.replace('http', 'ws')),
  eventsource: (at) => new EventSource(at),
  image: (at) => { new Image().src = at; },
  'image in markup': (at) => { document.body.insertAdjacentHTML('beforeend', `<img src="${at}">`); },
  'image set': (at) => { document.body.insertAdjacentHTML('beforeend', `<img srcset="${at} 1x">`); },
  script: (at) => document.body.append(Object.assign(document.createElement('script'), { src: at })),
  'module script': (at) => document.body.append(Object.assign(document.createElement('script'), { type: 'module', src: at })),
  'dynamic import': (at) => void import(at).catch(() => {}),
  stylesheet: (at) => document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: at })),
  'css import': (at) => document.head.append(Object.assign(document.createElement('style'), { textContent: `@import url(${at});` })),
  'css background': (at) => { document.body.append(Object.assign(document.createElement('p'), { textContent: 'x', style: `background: url(${at})` })); },
  'css by object model': (at) => { document.body.style.backgroundImage = `url(${at})`; },
  'css adopted': (at) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(`html { list-style-image: url(${at}); display: list-item }`); document.adoptedStyleSheets = [sheet]; },
  font: (at) => void new FontFace('leak', `url(${at})`).load().catch(() => {}),
  iframe: (at) => document.body.append(Object.assign(document.createElement('iframe'), { src: at })),
  object: (at) => document.body.append(Object.assign(document.createElement('object'), { data: at })),
  embed: (at) => document.body.append(Object.assign(document.createElement('embed'), { src: at })),
  video: (at) => { document.body.append(Object.assign(document.createElement('video'), { src: at, preload: 'auto' })); },
  audio: (at) => { new Audio(at).load(); },
  'svg image': (at) => { document.body.insertAdjacentHTML('beforeend', `<svg><image href="${at}"/></svg>`); },
  preload: (at) => document.head.append(Object.assign(document.createElement('link'), { rel: 'preload', as: 'image', href: at })),
  modulepreload: (at) => document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', href: at })),
  prefetch: (at) => document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: at })),
  'worker fetch': (at) => new Worker(URL.createObjectURL(new Blob([`fetch('${at}', { mode: 'no-cors' })`]))),
  'worker import': (at) => new Worker(URL.createObjectURL(new Blob([`importScripts('${at}')`]))),
  'worker socket': (at) => new Worker(URL.createObjectURL(new Blob([`new WebSocket('${at.replace('http', 'ws')}')`]))),
  'frame in frame': (at) => { const inner = document.createElement('iframe'); inner.srcdoc = `<img src="${at}">`; document.body.append(inner); },
  'frame of a blob': (at) => { const blob = new Blob([`<img src="${at}"><script>fetch('${at}')</script>`], { type: 'text/html' }); document.body.append(Object.assign(document.createElement('iframe'), { src: URL.createObjectURL(blob) })); },
};

const navigations = {
  'location to a blob': (at) => { location.href = URL.createObjectURL(new Blob([`<img src="${at}"><script>location = '${at}'</script>`], { type: 'text/html' })); },
  location: (at) => { location.href = at; },
  'top location': (at) => { top.location.href = at; },
  'parent location': (at) => { parent.location = at; },
  'window open': (at) => { window.open(at); },
  'link click': (at) => Object.assign(document.body.appendChild(document.createElement('a')), { href: at }).click(),
  'link click blank': (at) => Object.assign(document.body.appendChild(document.createElement('a')), { href: at, target: '_blank' }).click(),
  'link click top': (at) => Object.assign(document.body.appendChild(document.createElement('a')), { href: at, target: '_top' }).click(),
  'link ping': (at) => Object.assign(document.body.appendChild(document.createElement('a')), { href: '#x', ping: at }).click(),
  'link download': (at) => Object.assign(document.body.appendChild(document.createElement('a')), { href: at, download: 'x' }).click(),
  'form post': (at) => { document.body.insertAdjacentHTML('beforeend', `<form method="post" action="${at}"><input name="a" value="b"></form>`); document.body.lastElementChild.submit(); },
  'form target': (at) => { document.body.insertAdjacentHTML('beforeend', `<form action="${at}" target="_blank"></form>`); document.body.lastElementChild.submit(); },
  'meta refresh': (at) => document.head.append(Object.assign(document.createElement('meta'), { httpEquiv: 'refresh', content: `0;url=${at}` })),
};

/* Asks a STUN server for our address: also from a fresh frame, which brings constructors of its own. */
async function rtc(port) {
  const frame = document.body.appendChild(document.createElement('iframe'));
  const ways = [() => window.RTCPeerConnection, () => frame.contentWindow.RTCPeerConnection];
  for (const way of ways) {
    try {
      const connection = new (way())({ iceServers: [{ urls: `stun:127.0.0.1:${port}` }] });
      connection.createDataChannel('x');
      await connection.setLocalDescription(await connection.createOffer());
    } catch {
      /* what it is for */
    }
  }
}

async function startServer() {
  const arrived = new Set();
  const server = createServer((request, response) => {
    arrived.add(decodeURIComponent(request.url.slice(1).split('?')[0]));
    response.end(request.url === '/control' ? '<!doctype html><title>control</title><body>control' : '');
  });
  server.on('upgrade', (request, socket) => {
    arrived.add(decodeURIComponent(request.url.slice(1)));
    socket.destroy();
  });
  let connections = 0;
  let bytes = 0;
  server.on('connection', (socket) => {
    connections++;
    socket.on('data', (chunk) => { bytes += chunk.length; });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const udp = createSocket('udp4');
  let packets = 0;
  udp.on('message', () => packets++);
  await new Promise((resolve) => udp.bind(0, '127.0.0.1', resolve));
  return {
    arrived, origin: `http://127.0.0.1:${server.address().port}`, stun: udp.address().port,
    counts: () => ({ connections, bytes, packets }),
    close: () => { server.closeAllConnections(); server.close(); udp.close(); },
  };
}

const quiet = () => new Promise((resolve) => setTimeout(resolve, QUIET_MS));
const run = (frame, attack, argument) =>
  frame.evaluate(`void (${attack})(${JSON.stringify(argument)})`).catch(() => {});

/* One fresh page a navigation, as it may leave; all requests in one. */
async function attackAll(context, server, open) {
  let target = await open();
  for (const [name, attack] of Object.entries(requests)) {
    await run(target.frame, attack, `${server.origin}/${encodeURIComponent(name)}`);
  }
  await run(target.frame, rtc, server.stun);
  await quiet();
  await target.page.close();
  for (const [name, attack] of Object.entries(navigations)) {
    target = await open();
    await run(target.frame, attack, `${server.origin}/${encodeURIComponent(name)}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await target.page.close();
  }
  await quiet();
}

for (const name of browsers) {
  test(`${name}: what leaks from a plain page does not leak from the tool`,
    async () => withBrowser(name, {}, async (context) => {
      const control = await startServer();
      await attackAll(context, control, async () => {
        const page = await context.newPage();
        await page.goto(`${control.origin}/control`);
        return { page, frame: page.mainFrame() };
      });
      const channels = [...Object.keys(requests), ...Object.keys(navigations)];
      const dead = channels.filter((channel) => !control.arrived.has(channel));
      console.log(`${name}: ${channels.length - dead.length} of ${channels.length} channels leak from a plain page`,
        `and ${control.counts().packets} STUN packets; harmless here:`, JSON.stringify(dead));
      control.close();
      assert.ok(dead.length <= 3, 'attacks that attack nothing');
      assert.ok(name !== 'chromium' || control.counts().packets > 0, 'the STUN attack attacks nothing');

      const server = await startServer();
      await attackAll(context, server, () => openPage(context));
      assert.deepEqual([...server.arrived], []);
      const { connections, bytes, packets } = server.counts();
      assert.deepEqual({ bytes, packets }, { bytes: 0, packets: 0 });
      /* Chromium opens a connection for "location = ..." before it asks the policy, and then sends nothing. */
      assert.ok(connections <= (name === 'chromium' ? 1 : 0), `${connections} connections`);
      server.close();
    }));

  test(`${name}: injected markup runs no script, and nothing is stored`,
    async () => withBrowser(name, {}, async (context) => {
      const { frame } = await openPage(context);
      const ran = await frame.evaluate(async () => {
        document.body.insertAdjacentHTML('beforeend', '<img src="x:" onerror="window.ran = 1"><p onclick="window.ran = 1">');
        document.body.lastElementChild.click();
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }));
        let evaluated = false;
        try {
          evaluated = (0, eval)('1') === 1;
        } catch {
          /* as it should */
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
        return { ran: window.ran, evaluated };
      });
      assert.equal(ran.ran, undefined);
      const stores = await frame.evaluate(() => ['localStorage', 'sessionStorage', 'indexedDB', 'caches', 'cookie']
        .filter((store) => {
          try {
            return store === 'cookie' ? (document.cookie = 'a=1', document.cookie !== '')
              : store === 'indexedDB' ? indexedDB.open('x') && false : Boolean(window[store]?.setItem);
          } catch {
            return false;
          }
        }));
      assert.deepEqual(stores, []);
    }));
}
