import { join } from 'node:path'
import { EmbeddedStore } from '../../../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'
import { writeAheadLogConformance } from '../../../conformance/writeAheadLog.ts'
import { jobLogSpec, joinTask } from '../embeddedJob.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'

writeAheadLogConformance('embedded', async () => {
  const directory = await temporaryDirectory()
  const open = (): Promise<EmbeddedStore> =>
    EmbeddedStore.open(join(directory.path, 'log'), { clock: systemClock, partitions: 2 })
  let store = await open()
  await store.createTopic('orders')
  return {
    taskLog: (partition) => joinTask(store, jobLogSpec(['orders'], { follows: true }), partition),
    async crash() {
      await store.storage.close()
      store = await open()
    },
    async close() {
      await store.close()
      await directory.remove()
    },
  }
})
