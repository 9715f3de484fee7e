import { Level } from 'level'

// Writes batches of all sizes, one after the other, until somebody kills it. Says when the first is written.
const [directory = ''] = process.argv.slice(2)
const db = new Level<Buffer, Buffer>(directory, {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  writeBufferSize: 64 * 1024,
})
await db.open()
for (let round = 0; ; round += 1) {
  const batch = db.batch()
  for (let index = 0; index < 10; index += 1) {
    batch.put(Buffer.from(`key ${String((round * 7 + index) % 500)}`), Buffer.alloc((round * 37) % 9000, String(round)))
  }
  await batch.write()
  if (round === 0) process.stdout.write('written\n')
}
