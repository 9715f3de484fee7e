import type { FaultServers } from './faultServers.ts'
import { api, type Passage } from './framedProxy.ts'
import type { Worker } from './worker.ts'

/** The answer of a fetch that has found something is larger than one that has not. */
const emptyFetchBytes = 400

export const crashPoints = [
  'after fetch',
  'with lookups in flight',
  'after send',
  'after offsets, before commit',
  'after commit, before apply',
] as const

export type CrashPoint = (typeof crashPoints)[number]

/**
 * Calls `act` the next time a worker comes to this point of an epoch, as seen on the wire, and resolves. What shows the
 * point (the request that begins the next step, or the answer to the last one) is dealt with as `act` says: dropped, the
 * worker cannot have gone further. `after fetch` alone is a moment after the answer: a worker that is acted upon has the
 * records.
 */
export function atPoint(
  point: CrashPoint,
  worker: Worker,
  { kafkaProxy, cassandraProxy }: FaultServers,
  act: () => Passage,
): Promise<void> {
  return new Promise((resolve) => {
    const watch = (isIt: (apiKey: number, commits: boolean, bytes: number) => boolean, late = false): void => {
      const end = kafkaProxy.watch(worker.name, {
        onAnswer({ apiKey, lastByte }, bytes) {
          if (!isIt(apiKey, lastByte === 1, bytes)) return 'pass'
          end()
          if (late) {
            setTimeout(() => {
              void act()
              resolve()
            }, 2)
            return 'pass'
          }
          const passage = act()
          resolve()
          return passage
        },
      })
    }
    switch (point) {
      case 'after fetch':
        watch((apiKey, _, bytes) => apiKey === api.fetch && bytes >= emptyFetchBytes, true)
        break
      case 'with lookups in flight':
        if (cassandraProxy === null) throw new Error('Without Cassandra there are no lookups')
        cassandraProxy.onQuery = () => {
          cassandraProxy.letAllPass()
          const passage = act()
          resolve()
          return passage
        }
        break
      case 'after send':
        watch((apiKey) => apiKey === api.produce)
        break
      case 'after offsets, before commit': {
        const end = kafkaProxy.watch(worker.name, {
          onRequest({ apiKey, lastByte }) {
            if (apiKey !== api.endTxn || lastByte !== 1) return 'pass'
            end()
            const passage = act()
            resolve()
            return passage
          },
        })
        break
      }
      case 'after commit, before apply':
        watch((apiKey, commits) => apiKey === api.endTxn && commits)
        break
    }
  })
}

/** Kills the workers, each at the next time it comes to this point. Resolves when all signals are sent. */
export async function killAt(
  point: CrashPoint,
  workers: Worker | readonly Worker[],
  servers: FaultServers,
): Promise<void> {
  const victims = 'kill9' in workers ? [workers] : workers
  if (point === 'with lookups in flight') {
    await allLookUp(servers, victims.length)
    for (const victim of victims) victim.kill9()
    servers.cassandraProxy?.letAllPass()
    return
  }
  await Promise.all(
    victims.map((victim) =>
      atPoint(point, victim, servers, () => {
        victim.kill9()
        return 'drop'
      }),
    ),
  )
}

/**
 * Resolves when so many processes have a lookup under way that nobody answers, until `letAllPass`. Nothing else is answered
 * either: an outage, which makes no dead letters however long it takes.
 */
export function allLookUp({ cassandraProxy }: FaultServers, processes: number): Promise<void> {
  return new Promise((resolve) => {
    if (cassandraProxy === null) throw new Error('Without Cassandra there are no lookups')
    const connections = new Set<number>()
    cassandraProxy.onAnswer = () => 'drop'
    cassandraProxy.onQuery = (connection) => {
      connections.add(connection)
      if (connections.size === processes) resolve()
      return 'drop'
    }
  })
}
