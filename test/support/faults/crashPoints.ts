import { api, type KafkaFaultProxy } from './framedProxy.ts'
import type { FaultServers } from './faultServers.ts'
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
 * Kills the worker at the next time it comes to this point, as seen on the wire; resolves when the signal is sent. What shows
 * the point is held back from the worker or the server, so that the worker cannot have gone further.
 */
export function killAt(point: CrashPoint, worker: Worker, servers: FaultServers): Promise<void> {
  const { kafkaProxy, cassandraProxy } = servers
  return new Promise((resolve) => {
    const kill = (): 'drop' => {
      worker.kill9()
      kafkaProxy.letAllPass()
      if (cassandraProxy !== null) cassandraProxy.onQuery = () => 'pass'
      resolve()
      return 'drop'
    }
    switch (point) {
      case 'after fetch':
        onAnswer(kafkaProxy, worker, api.fetch, (bytes) => {
          if (bytes < emptyFetchBytes) return 'pass'
          // It has the records when it dies.
          setTimeout(kill, 2)
          kafkaProxy.letAllPass()
          return 'pass'
        })
        break
      case 'with lookups in flight':
        if (cassandraProxy !== null) cassandraProxy.onQuery = kill
        break
      case 'after send':
        onAnswer(kafkaProxy, worker, api.produce, kill)
        break
      case 'after offsets, before commit':
        kafkaProxy.onRequest = ({ apiKey, clientId, lastByte }) =>
          clientId === worker.name && apiKey === api.endTxn && lastByte === 1 ? kill() : 'pass'
        break
      case 'after commit, before apply':
        onAnswer(kafkaProxy, worker, api.endTxn, kill, 1)
        break
    }
  })
}

function onAnswer(
  proxy: KafkaFaultProxy,
  worker: Worker,
  apiKey: number,
  act: (bytes: number) => 'pass' | 'drop',
  lastByte: number | null = null,
): void {
  proxy.onAnswer = (request, bytes) => {
    const isIt =
      request.apiKey === apiKey &&
      request.clientId === worker.name &&
      (lastByte === null || request.lastByte === lastByte)
    return isIt ? act(bytes) : 'pass'
  }
}
