// One end of a pipe: `copyTopic.ts <data directory> read <topic> <count>` or `copyTopic.ts <data directory> write <topic>`.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { withStore } from '../../../../src/connectors/embedded/shared/withStore.ts'
import { systemClock } from '../../../../src/core/ports/clock.ts'

const [directory = '', kind, topic = '', count = '0'] = process.argv.slice(2)
const options = { clock: systemClock, partitions: 1 }
if (kind === 'read') {
  let next = 0
  while (next < Number(count)) {
    const page = await withStore(directory, options, (store) =>
      store.readPage({ topic, partition: 0, from: next, limit: 500 }),
    )
    next = page.next
    for (const { raw } of page.records)
      if (!process.stdout.write(`${raw?.toString() ?? ''}\n`)) await once(process.stdout, 'drain')
  }
} else {
  let lines: string[] = []
  const write = async (): Promise<void> => {
    const records = lines.map((line) => ({
      topic,
      partition: 0,
      key: null,
      value: Buffer.from(line),
      headers: [],
      timestamp: 1,
    }))
    lines = []
    await withStore(directory, options, (store) => store.append(records))
  }
  for await (const line of createInterface({ input: process.stdin })) if (lines.push(line) >= 300) await write()
  await write()
}
