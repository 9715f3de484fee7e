import { changelogRecords } from '../../state/changelogRecords.ts'
import type { MemoryLog } from '../world/memoryLog.ts'

/** A sentence about rows that wait in a write-ahead log, by the last commit of their task; null: all are sent and ticked off. */
export function unsentRows(log: MemoryLog): string | null {
  for (const { name, partitions } of log.changelogs) {
    for (const { partition, records } of partitions) {
      for (let at = records.length - 1; at >= 0; at -= 1) {
        const { key, raw: value } = records[at] ?? {}
        const fact = key === null || key === undefined ? null : changelogRecords.factOf({ key, value: value ?? null })
        if (fact?.kind !== 'commit') continue
        const waiting = [...(fact.record.followers ?? [])].find(([, { sent, logged }]) => sent !== logged)
        if (waiting !== undefined) {
          return `rows of sink ${waiting[0]} wait for partition ${String(partition)} (${name}), and were not sent`
        }
        break
      }
    }
  }
  return null
}
