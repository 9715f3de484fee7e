import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Servers that are neither Kafka nor Cassandra, by what they answer to whatever comes. */
export const strangers = {
  'an HTTP server': () => createHttpServer((_, response) => response.end('hello')),
  'a server that wants TLS': answering((socket) => socket.end(Buffer.from('15030300020246', 'hex'))),
  'an SSH server': () => watched((socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n')),
  'a server that speaks text': () => watched((socket) => socket.write('220 mail.example.com ESMTP\r\n')),
  'a server that closes at once': () => watched((socket) => socket.destroy()),
  'a server that closes after a question': answering((socket) => socket.destroy()),
  'a server that says nothing': () => watched(() => undefined),
  'a length below zero': answering((socket) => socket.write(Buffer.from('ffffffff00000000ffffffff00000000', 'hex'))),
  'a length of zero': answering((socket) => socket.write(Buffer.alloc(64))),
  'a huge length': answering((socket) =>
    socket.write(Buffer.concat([Buffer.from('7fffffff', 'hex'), Buffer.alloc(1e5)])),
  ),
  'an echo': answering((socket, data) => socket.write(data)),
  'an answer of nothing but zeros': answering((socket) =>
    socket.write(Buffer.concat([Buffer.from('00000040', 'hex'), Buffer.alloc(64)])),
  ),
  'an answer that ends too early': answering((socket) => socket.write(Buffer.from('000000060000000000ff', 'hex'))),
  'an answer to a question of nobody': answering((socket) =>
    socket.write(Buffer.from('000000087fffffff00000000', 'hex')),
  ),
  'an answer of Cassandra with a length below zero': answering((socket) =>
    socket.write(Buffer.from('8400000000fffffff700000000', 'hex')),
  ),
  'bytes in pieces of one': answering((socket) => {
    for (const byte of Buffer.from('80ffffff80ffffff80ffffff')) socket.write(Buffer.from([byte]))
  }),
} as const satisfies Readonly<Record<string, () => Server>>

export type Stranger = keyof typeof strangers

/** Bytes without any sense, from a seed. */
export function nonsense(bytes: Buffer): () => Server {
  return answering((socket) => socket.write(bytes))
}

/** Runs it on a free port while `use` goes on. */
export async function withServer<T>(make: () => Server, use: (address: string) => Promise<T>): Promise<T> {
  const server = make()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  try {
    return await use(`127.0.0.1:${String((server.address() as AddressInfo).port)}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Answers whatever comes. */
export function answering(answer: (socket: Socket, data: Buffer) => unknown): () => Server {
  return () =>
    watched((socket) => {
      socket.on('data', (data) => answer(socket, data))
    })
}

function watched(connected: (socket: Socket) => unknown): Server {
  return createServer((socket) => {
    socket.on('error', () => undefined)
    connected(socket)
    socket.resume()
  })
}
