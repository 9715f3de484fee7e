/*
 * Appends messages at a steady rate from a process of its own: `appendProcess.ts <flags as JSON> <topic> <records/s> <s>`.
 * A message's timestamp is the moment at which it was due, so that a stall of this process counts as latency.
 */
import { KafkaTopics } from '../../src/connectors/kafka/topics/kafkaTopics.ts'
import { sleep, systemClock } from '../../src/core/ports/clock.ts'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { benchSettings, type Flags } from './benchSettings.ts'
import { message } from './reconcileLoad.ts'

const tickMs = 5

async function append(flags: Flags, topic: string, perSecond: number, seconds: number): Promise<void> {
  const topics = new KafkaTopics(benchSettings(flags).kafka, { clock: systemClock, log: silentLogger })
  try {
    const total = perSecond * seconds
    // The first append connects.
    await topics.append([])
    const startedMs = systemClock.now() + 2 * tickMs
    let sent = 0
    while (sent < total) {
      await sleep(systemClock, tickMs)
      const due = Math.min(total, Math.floor(((systemClock.now() - startedMs) * perSecond) / 1000))
      const batch = Array.from({ length: Math.max(0, due - sent) }, (_, at) => {
        const index = sent + at
        return message(topic, index, startedMs + Math.floor((index * 1000) / perSecond))
      })
      if (batch.length > 0) await topics.append(batch)
      sent += batch.length
    }
  } finally {
    await topics.close()
  }
}

const [flags = '{}', topic = '', perSecond = '0', seconds = '0'] = process.argv.slice(2)
await append(JSON.parse(flags) as Flags, topic, Number(perSecond), Number(seconds))
