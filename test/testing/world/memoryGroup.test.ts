import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { MemoryGroup } from '../../../src/testing/world/memoryGroup.ts'
import { openMemoryJobLog } from '../../../src/testing/world/memoryJobLog.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { jobLogConformance } from '../../conformance/jobLog.ts'

const spec = {
  job: 'job',
  group: 'source',
  groupId: 'group',
  outputs: ['results'],
  transactionalIdPrefix: 'job',
  copartitioned: true,
}

for (const transactions of ['whole', 'open'] as const) {
  jobLogConformance(
    `memory, ${transactions} transactions`,
    () => {
      const clock = new ManualClock()
      const log = new MemoryLog({ transactions, partitions: 4 })
      log.ensureTopic('orders')
      log.ensureTopic('payments')
      const group = new MemoryGroup({
        clock,
        inputs: () =>
          new Map([
            ['orders', 4],
            ['payments', 4],
          ]),
      })
      const processes = new Map<string, TestProcess>()
      return Promise.resolve({
        open(name, topics, admit) {
          const process = new TestProcess({ clock })
          processes.set(name, process)
          const inputs = [{ kind: 'topics', topics }] as const
          const asked = admit === undefined ? {} : { admit }
          return openMemoryJobLog(log, { ...spec, inputs, ...asked }, process, { name, group: () => group })
        },
        kill(name) {
          processes.get(name)?.kill('test')
          return Promise.resolve()
        },
        freeze(name, ms) {
          processes.get(name)?.freeze(ms)
        },
        pass: (ms) => clock.advance(ms),
        close() {
          group.close()
          return Promise.resolve()
        },
      })
    },
    { processes: true, lastStableOffset: transactions === 'open' },
  )
}
