import { createServer } from 'node:net'
import { TidemarkError } from '../../src/core/errors.ts'
import { systemRandom, type Random } from '../../src/core/ports/random.ts'

/**
 * Below what operating systems hand out to outgoing connections (from 32768 on Linux). A port from that range could be
 * taken by a client while its server is down between two starts, or be connected to itself.
 */
const lowestPort = 12_000
const highestPort = 31_999
const attempts = 200

/** A server takes some seconds until it listens: another one that starts meanwhile is not given its ports. */
const given = new Set<number>()

/** So many TCP ports of the loopback interface that nothing listens on at this moment, each of them once in a process. */
export async function freePorts(count: number, random: Random = systemRandom): Promise<readonly number[]> {
  const found = new Set<number>()
  for (let attempt = 0; attempt < attempts && found.size < count; attempt += 1) {
    const port = lowestPort + Math.floor(random.next() * (highestPort - lowestPort + 1))
    if (given.has(port)) continue
    // Taken before it is looked at: others look at the same time.
    given.add(port)
    if (await isFree(port)) found.add(port)
  }
  if (found.size === count) return [...found]
  throw new TidemarkError(
    'server-not-started',
    `No ${String(count)} free ports from ${String(lowestPort)} to ${String(highestPort)} on 127.0.0.1 were found in ` +
      `${String(attempts)} tries: end what listens there, or name the ports`,
  )
}

/** Whether a server could listen on this port of the loopback interface now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}
