import { topicPagesConformance } from '../../conformance/topicPages.ts'
import { Disk, openOnDisk } from './diskStorage.ts'

topicPagesConformance('embedded', async () => {
  const store = await openOnDisk(new Disk())
  await store.createTopic('pages', { partitions: 1 })
  return {
    append: async (records) => {
      await store.append(records)
    },
    readPage: (request) => store.readPage({ topic: 'pages', partition: 0, ...request }),
    close: () => store.close(),
  }
})
