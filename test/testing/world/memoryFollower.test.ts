import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryFollower, MemoryTarget, type MemoryTargetOptions } from '../../../src/testing/world/memoryFollower.ts'
import { followerConformance, type FollowerWorld } from '../../conformance/follower.ts'
import { sink } from '../../support/followedTask.ts'

for (const keeps of ['record', 'timestamps'] as const) {
  followerConformance(`in memory, by ${keeps}`, () => Promise.resolve(makeWorld({ keeps })), {
    keepsRecord: keeps === 'record',
  })
}

function makeWorld(options: MemoryTargetOptions): FollowerWorld {
  const target = new MemoryTarget(options)
  return {
    clock: new ManualClock(1_700_000_000_000),
    open: (process) => Promise.resolve(new MemoryFollower(target, process)),
    rows: () => Promise.resolve(target.rows(sink).map(({ row }) => row.toString())),
    setDown: (down) => {
      target.down = down
    },
    setLatency: (ms) => {
      target.latencyMs = ms
    },
    refuse: (text) => {
      target.refuses = (row) => (row.toString() === text ? `it does not take ${text}` : null)
    },
    rollBack: (epochs) => {
      target.rollBack(sink, epochs)
    },
    close: () => Promise.resolve(),
  }
}
