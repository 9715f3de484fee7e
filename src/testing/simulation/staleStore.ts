import { changelogTopicName } from '../../core/ownNames.ts'
import type { MemoryLog } from '../world/memoryLog.ts'
import type { Violation } from './invariants.ts'
import { stateName, type Outcome } from './outcome.ts'
import type { SimulatedSlot } from './simulatedSlot.ts'

/** A local store that claims to hold the last commit's state and does not; null: there is none. */
export function staleStore(slots: readonly SimulatedSlot[], log: MemoryLog, { state }: Outcome): Violation | null {
  for (const { name, disks } of slots) {
    for (const { task, disk } of disks.values()) {
      const last = log.commits.findLast(({ partition }) => partition === task.partition)
      if (disk.position === null || disk.position.nonce !== last?.nonce) continue
      const changelog = changelogTopicName(task)
      const held = [...disk.values].map(([key, value]) => [stateName(changelog, task.partition, key), value] as const)
      const prefix = stateName(changelog, task.partition, '').slice(0, -2)
      const wanted = [...state].filter(([entry]) => entry.startsWith(prefix))
      const wrong = held.find(([entry, value]) => state.get(entry) !== value)
      if (wrong === undefined && held.length === wanted.length) continue
      const others = wrong === undefined ? '' : `, or others: ${wrong[0]}`
      return {
        invariant: 'local state is the committed state',
        message: `the store of task ${String(task.partition)} on ${name} claims epoch ${String(disk.position.epoch)} and holds ${String(held.length)} entries, not the ${String(wanted.length)} that are committed${others}`,
      }
    }
  }
  return null
}
