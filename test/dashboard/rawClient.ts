import { connect, type Socket } from 'node:net'

/** A connection on which anything can be sent, and what has come back. */
export interface RawClient {
  readonly socket: Socket
  /** All that came, once the other side has ended or reset the connection. */
  readonly ended: Promise<string>
}

/** Connects to a port of this machine and sends the text, if any. */
export function rawClient(port: number, text = ''): RawClient {
  const socket = connect(port, '127.0.0.1')
  const ended = new Promise<string>((resolve) => {
    let received = ''
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => (received += part))
    // A reset is an end as well.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve(received)
    })
  })
  if (text !== '') socket.write(text, 'latin1')
  return { socket, ended }
}

/** What a server says to exactly this. */
export function say(port: number, text: string): Promise<string> {
  return rawClient(port, text).ended
}
