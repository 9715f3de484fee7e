/**
 * A neighbour on the machine that does the page of a job harm, as well as one processor can.
 *
 *   node test/support/faults/attacks.ts dummy            a server that answers everything, whose port is told to the parent
 *   node test/support/faults/attacks.ts <attack> <port>  attacks until it is killed
 */
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

/** What one of many sockets does; it is opened anew when it ends. */
interface Attack {
  readonly sockets: number
  readonly begin: (socket: Socket, count: number) => void
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
const beginning = 'GET / HTTP/1.1\r\nHost: localhost\r\n'

const oddities: readonly string[] = [
  'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  `${beginning}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n`,
  `${beginning}Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`,
  `${beginning}Transfer-Encoding: chunked\r\n\r\nffffff\r\n${'x'.repeat(60_000)}`,
  `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n${'x'.repeat(200_000)}`,
  'GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n',
  `${beginning}Host: localhost\r\n\r\n`,
  'nonsense\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  '\0'.repeat(10_000),
]

/** By what docs/proof.md calls them. */
const attacks: Readonly<Record<string, Attack>> = {
  'pipelined requests that nobody reads': {
    sockets: 90,
    begin: (socket) => {
      socket.pause()
      const more = (): void => {
        while (!socket.destroyed && socket.write(get('/metrics').repeat(500)));
      }
      socket.on('drain', more)
      more()
    },
  },
  'answers that nobody reads': {
    sockets: 90,
    begin: (socket) => {
      socket.pause()
      socket.write(get('/metrics'))
    },
  },
  'heads without an end': {
    sockets: 100,
    begin: (socket) => {
      socket.resume()
      socket.write(beginning)
    },
  },
  'heads a byte at a time': {
    sockets: 100,
    begin: (socket) => {
      socket.resume()
      socket.setNoDelay()
      socket.write(`${beginning}A: `)
      const drip = setInterval(() => socket.write('a'), 5)
      socket.on('close', () => {
        clearInterval(drip)
      })
    },
  },
  'connections and nothing else': {
    sockets: 50,
    begin: (socket) => {
      socket.resetAndDestroy()
    },
  },
  'requests as fast as they go': {
    sockets: 32,
    begin: (socket) => {
      socket.on('data', () => socket.write(get('/metrics')))
      socket.write(get('/metrics'))
    },
  },
  'paths that are none': {
    sockets: 32,
    begin: (socket, count) => {
      socket.resume()
      socket.write(get(`/${String(count)}`))
    },
  },
  'heads that are too large': {
    sockets: 32,
    begin: (socket) => {
      socket.resume()
      socket.write(`${beginning}A: ${'a'.repeat(1_000_000)}`)
    },
  },
  'health checks as fast as they go': {
    sockets: 32,
    begin: (socket) => {
      socket.resume()
      socket.write(get('/healthz'))
    },
  },
  'half-open sockets': {
    sockets: 100,
    begin: (socket) => {
      socket.pause()
      socket.end(get('/api/status'))
    },
  },
  'odd requests': {
    sockets: 32,
    begin: (socket, count) => {
      socket.resume()
      socket.write(oddities[count % oddities.length] ?? '', 'latin1')
    },
  },
}

export const attackNames: readonly string[] = Object.keys(attacks)

if (import.meta.main) {
  process.once('disconnect', () => process.exit())
  const [name = '', port = ''] = process.argv.slice(2)
  if (name === 'dummy') serveDummy()
  else launch(attacks[name] ?? never(name), Number(port))
}

function launch({ sockets, begin }: Attack, port: number): void {
  // Sockets that nobody reads keep no process alive.
  setInterval(() => undefined, 1_000)
  let count = 0
  const open = (): void => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    count += 1
    socket.on('error', () => undefined)
    socket.on('connect', () => {
      begin(socket, count)
    })
    socket.on('close', open)
    // The other side has ended: begin anew.
    socket.on('end', () => {
      socket.destroy()
    })
  }
  for (let opened = 0; opened < sockets; opened += 1) open()
}

function serveDummy(): void {
  const server = createServer((_, response) => response.end('ok'))
  server.listen(0, '127.0.0.1', () => {
    process.send?.((server.address() as AddressInfo).port)
  })
}

function never(name: string): never {
  throw new Error(`There is no attack ${name}`)
}
