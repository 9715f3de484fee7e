import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { openMemoryJobLog } from '../../../src/testing/world/memoryJobLog.ts'
import { MemoryLog } from '../../../src/testing/world/memoryLog.ts'
import { TestProcess } from '../../../src/testing/world/testProcess.ts'
import { writeAheadLogConformance } from '../../conformance/writeAheadLog.ts'
import { jobLogSpec, taskOf } from '../../connectors/embedded/embeddedJob.ts'

for (const transactions of ['whole', 'open'] as const) {
  writeAheadLogConformance(`memory, ${transactions} transactions`, () => {
    const clock = new ManualClock()
    const log = new MemoryLog({ transactions })
    log.ensureTopic('orders', { partitions: 2 })
    let process = new TestProcess({ clock })
    return Promise.resolve({
      taskLog: async (partition) =>
        taskOf(await openMemoryJobLog(log, jobLogSpec(['orders'], { follows: true }), process), partition),
      crash: () => {
        process.kill('test')
        process = new TestProcess({ clock })
        return Promise.resolve()
      },
      close: () => Promise.resolve(),
    })
  })
}
