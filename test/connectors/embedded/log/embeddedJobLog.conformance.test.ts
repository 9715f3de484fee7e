import { EmbeddedJobLog } from '../../../../src/connectors/embedded/log/embeddedJobLog.ts'
import { jobLogConformance } from '../../../conformance/jobLog.ts'
import { Disk, openOnDisk } from '../diskStorage.ts'
import { jobLogSpec } from '../embeddedJob.ts'

jobLogConformance(
  'embedded',
  async () => {
    const store = await openOnDisk(new Disk())
    await store.createTopic('orders', { partitions: 4 })
    await store.createTopic('payments', { partitions: 4 })
    return {
      open: (_process, topics, admit) =>
        EmbeddedJobLog.open(
          store,
          jobLogSpec(topics, { copartitioned: true, ...(admit === undefined ? {} : { admit }) }),
        ),
      kill: () => Promise.reject(new Error('one process has all tasks')),
      freeze: () => undefined,
      pass: () => new Promise((resolve) => setTimeout(resolve, 1)),
      close: () => store.close(),
    }
  },
  // One process holds the directory; what is not committed does not exist there.
  { processes: false, lastStableOffset: false },
)
