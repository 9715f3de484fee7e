import type { OpenTransaction } from '../write/findOpenTransaction.ts'
import { risk, type Finding } from '../../../core/finding.ts'

/** Transactions end within seconds; one that is open for so long may be forgotten. */
const longMs = 10_000

/** What is to be said about transactions that hold the inputs of a job back. */
export function judgeTransactions(open: readonly OpenTransaction[], nowMs: number): readonly Finding[] {
  return open
    .filter(({ sinceMs }) => sinceMs === null || nowMs - sinceMs >= longMs)
    .map(({ topic, partition, waiting, firstOffset, producerId, transactionalId, sinceMs }) => {
      const place = `${topic}, partition ${String(partition)}`
      const who =
        producerId === null
          ? 'a transaction whose producer the brokers do not tell'
          : `the open transaction of producer ${String(producerId)}, ${transactionalId === null ? 'whose transactional id may not be read' : `transactional id ${JSON.stringify(transactionalId)}`}`
      const since = sinceMs === null ? '' : `, since ${new Date(sinceMs).toISOString()}`
      const what = `${place}: up to ${String(waiting)} records wait behind ${who}${since}`
      const abort = `kafka-transactions.sh abort --topic ${topic} --partition ${String(partition)} --start-offset ${String(firstOffset)}`
      return risk(what, `let its program commit or abort; one that is gone for good is ended with ${abort}`)
    })
}
