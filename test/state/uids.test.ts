import { expect, test } from 'vitest'
import { systemClock } from '../../src/core/ports/clock.ts'
import { stateEntryKey } from './stateEntryKey.ts'
import { MemoryStateDisk, MemoryStateStore } from '../../src/state/memoryStateStore.ts'
import { openTaskState } from '../../src/state/taskState.ts'

const position = { epoch: 1, nonce: 'n', lineage: 'l', generation: 3, changelogEnd: 1, appliedAtMs: 0 }

test('the uids of a generation are found, whatever they and the keys are, and no other generation’s', async () => {
  const disk = new MemoryStateDisk()
  const store = new MemoryStateStore(disk)
  await store.open()
  const last = Buffer.alloc(300, 0xff)
  const keys = [
    stateEntryKey(2, 'before', Buffer.from('k')),
    stateEntryKey(3, 'a', Buffer.alloc(0)),
    stateEntryKey(3, 'a', last),
    stateEntryKey(3, 'ab', Buffer.from('k')),
    stateEntryKey(3, 'b', Buffer.from('k')),
    stateEntryKey(3, 'ÿ', last),
    stateEntryKey(4, 'after', Buffer.from('k')),
  ]
  await store.apply(
    keys.map((key) => ({ key, value: Buffer.from('1') })),
    position,
  )
  const state = await openTaskState(new MemoryStateStore(disk), systemClock)
  expect((await state.uids({ lineage: 'l', generation: 3 })).toSorted()).toEqual(['a', 'ab', 'b', 'ÿ'])
  expect(await state.uids({ lineage: 'l', generation: 4 })).toEqual(['after'])
  expect(await state.uids({ lineage: 'l', generation: 5 })).toEqual([])
  await state.close()
})
