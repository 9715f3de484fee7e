import type { Server } from 'node:net'

/** Only this machine. */
const host = '127.0.0.1'
/** Ports that are tried from the default one on: enough for the processes that one machine runs. */
const tries = 50
/** Connections that the system keeps until they are accepted: after a flood of them they are soon gone through. */
const backlog = 32

export interface ListenOptions {
  readonly port: number
  /** True when somebody chose the port: then it is that one or none. */
  readonly explicit: boolean
}

/** The port, or why there is none. */
export type Listening = { readonly port: number } | { readonly port: null; readonly reason: string }

export const noFilesLeft = 'too many files are open; raise the limit (ulimit -n)'

/** Listens on 127.0.0.1. A default port that is taken gives way to the next free one, a chosen one does not. */
export async function listen(server: Server, { port, explicit }: ListenOptions): Promise<Listening> {
  const last = explicit ? port : Math.min(port + tries - 1, 65_535)
  for (let next = port; next <= last; next += 1) {
    const failed = await tryPort(server, next)
    if (failed === null) return { port: next }
    if (failed.code !== 'EADDRINUSE') return { port: null, reason: wordsFor(failed) }
  }
  const taken = `other programs listen on all ports from ${String(port)} to ${String(last)}`
  return { port: null, reason: explicit ? 'another program listens on it' : taken }
}

function wordsFor({ code = 'no reason', syscall = 'listen' }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'this user may not listen on it'
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return `the machine has no address ${host}`
    case 'EMFILE':
    case 'ENFILE':
      return noFilesLeft
    default:
      return `the system refuses it (${syscall}: ${code})`
  }
}

function tryPort(server: Server, port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off('listening', onListening)
      resolve(error)
    }
    const onListening = (): void => {
      server.off('error', onError)
      resolve(null)
    }
    server.once('error', onError)
    server.once('listening', onListening)
    server.listen({ port, host, backlog, exclusive: true })
  })
}
