import { rmSync } from 'node:fs'
import { composeDown } from './docker.ts'
import { stopDaemon } from './localServer.ts'
import {
  cassandraDirectory,
  composeProject,
  kafkaDirectory,
  readRecord,
  removeRecord,
  serverDirectories,
} from './servicesRecord.ts'
import type { Say } from './servicesUp.ts'

/** Ends what `services:up` started in a directory, by process id. The data stay unless they are to be removed. */
export async function servicesDown(directory: string, removeData: boolean, say: Say): Promise<void> {
  const record = readRecord(directory)
  if (record?.from === 'docker') {
    await composeDown(composeProject(record), removeData)
    say('The containers are down.')
  }
  const homes = serverDirectories(directory)
  const ended = await Promise.all(homes.map(stopDaemon))
  const count = ended.filter(Boolean).length
  if (count > 0) say(`Ended ${String(count)} ${count === 1 ? 'server' : 'servers'}.`)
  else if (record?.from !== 'docker') say('Nothing was running.')
  removeRecord(directory)
  if (!removeData) return
  for (const home of [kafkaDirectory(directory), cassandraDirectory(directory)]) {
    rmSync(home, { recursive: true, force: true })
  }
  say('Their data are removed.')
}
