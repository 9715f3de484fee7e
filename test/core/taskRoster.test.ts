import { expect, test } from 'vitest'
import type { TaskListener } from '../../src/core/ports/jobLog.ts'
import { TaskRoster, type RosterLog } from '../../src/core/taskRoster.ts'

/** What happened, in order. */
function world(): { roster: TaskRoster<RosterLog>; events: string[]; endings: Map<number, () => void> } {
  const events: string[] = []
  const endings = new Map<number, () => void>()
  let made = 0
  const listener: TaskListener = {
    assigned: (task) => events.push(`assigned ${String(task.partition)}`),
    rebalancing: () => Promise.resolve(),
    revoked: async (partition) => {
      events.push(`revoked ${String(partition)}`)
      await new Promise<void>((resolve) => {
        endings.set(partition, resolve)
      })
      events.push(`ended ${String(partition)}`)
    },
    failed: () => undefined,
  }
  const roster = new TaskRoster(listener, (partition, topics) => {
    made += 1
    const name = `${String(partition)}#${String(made)}`
    const log = {
      partition,
      inputs: {
        topics,
        hold: () => events.push(`hold ${name}`),
        release: () => events.push(`release ${name}`),
      },
      close: () => {
        events.push(`close ${name}`)
        return Promise.resolve()
      },
    }
    // The roster calls only these.
    return log as unknown as RosterLog
  })
  return { roster, events, endings }
}

const tasks = (partitions: readonly number[], topics = ['orders']) =>
  new Map(partitions.map((partition) => [partition, topics]))

test('a task that stays is held, released and otherwise left alone', async () => {
  const { roster, events } = world()
  await roster.settle(tasks([0, 1]))
  roster.hold()
  await roster.settle(tasks([0, 1]))
  expect(events).toEqual(['assigned 0', 'assigned 1', 'hold 0#1', 'hold 1#2', 'release 0#1', 'release 1#2'])
  expect(roster.tasks).toEqual([0, 1])
})

test('a task that is gone ends, and is not waited for by the others', async () => {
  const { roster, events } = world()
  await roster.settle(tasks([0, 1]))
  await roster.settle(tasks([0, 2]))
  expect(events).toEqual(['assigned 0', 'assigned 1', 'release 0#1', 'revoked 1', 'assigned 2'])
})

test('a task that comes back begins when its predecessor has ended', async () => {
  const { roster, events, endings } = world()
  await roster.settle(tasks([0]))
  await roster.settle(tasks([]))
  await new Promise((resolve) => setTimeout(resolve))
  const settled = roster.settle(tasks([0]))
  await new Promise((resolve) => setTimeout(resolve))
  expect(events).toEqual(['assigned 0', 'revoked 0'])
  endings.get(0)?.()
  await settled
  expect(events).toEqual(['assigned 0', 'revoked 0', 'ended 0', 'assigned 0'])
})

test('a task whose topics have changed begins anew', async () => {
  const { roster, events, endings } = world()
  await roster.settle(tasks([0]))
  const settled = roster.settle(tasks([0], ['orders', 'payments']))
  await new Promise((resolve) => setTimeout(resolve))
  endings.get(0)?.()
  await settled
  expect(events).toEqual(['assigned 0', 'revoked 0', 'ended 0', 'assigned 0'])
})

test('a task that stays begins anew when a reset was decided', async () => {
  const { roster, events, endings } = world()
  await roster.settle(tasks([0]))
  roster.hold()
  const settled = roster.settle(tasks([0]), { anew: true })
  await new Promise((resolve) => setTimeout(resolve))
  expect(events).toEqual(['assigned 0', 'hold 0#1', 'revoked 0'])
  endings.get(0)?.()
  await settled
  expect(events).toEqual(['assigned 0', 'hold 0#1', 'revoked 0', 'ended 0', 'assigned 0'])
})

test('closing ends the logs of all tasks', async () => {
  const { roster, events } = world()
  await roster.settle(tasks([0, 1]))
  await roster.close()
  expect(events.slice(2)).toEqual(['close 0#1', 'close 1#2'])
})
