// A node of npm's bittorrent-dht, driven from outside: arguments in, one JSON event a line out.
//
//   bittorrent_dht.mjs PACKAGES HOST PORT BOOTSTRAP_HOST:PORT announce PEER_PORT INFO_HASH...
//   bittorrent_dht.mjs PACKAGES HOST PORT BOOTSTRAP_HOST:PORT lookup INFO_HASH...
//
// Both join first. Events: "ready"; "announced" of each info-hash; "peer" of each peer found. SIGTERM ends it.

import path from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

const [packages, host, port, bootstrap, verb, ...rest] = process.argv.slice(2)
const entry = path.join(packages, 'node_modules', 'bittorrent-dht', 'index.js')
const { Client } = await import(pathToFileURL(entry).href)

const say = (event, facts) => process.stdout.write(JSON.stringify({ event, ...facts }) + '\n')
const fail = error => {
  say('error', { message: String(error) })
  process.exit(1)
}

const dht = new Client({ bootstrap: [bootstrap] })
dht.on('error', fail)
dht.on('peer', (peer, infoHash) => {
  say('peer', { info_hash: infoHash.toString('hex'), address: `${peer.host}:${peer.port}` })
})
dht.on('ready', () => {
  say('ready', {})
  if (verb === 'lookup') {
    for (const infoHash of rest) dht.lookup(infoHash)
  } else {
    const [peerPort, ...infoHashes] = rest
    for (const infoHash of infoHashes) {
      dht.announce(infoHash, Number(peerPort), error => error ? fail(error) : say('announced', { info_hash: infoHash }))
    }
  }
})
dht.listen(Number(port), host)
process.on('SIGTERM', () => dht.destroy(() => process.exit(0)))
