import { EmbeddedStore } from '../../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import { topicPagesConformance } from '../../conformance/topicPages.ts'
import { CrashingStorage, Disk } from './crashingStorage.ts'

topicPagesConformance('embedded', async () => {
  const store = await EmbeddedStore.open('/nowhere', {
    clock: systemClock,
    openStorage: () => Promise.resolve(new CrashingStorage(new Disk())),
  })
  await store.createTopic('pages', { partitions: 1 })
  return {
    append: async (records) => {
      await store.append(records)
    },
    readPage: (request) => store.readPage({ topic: 'pages', partition: 0, ...request }),
    close: () => store.close(),
  }
})
