import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { TidemarkError } from '../../src/core/errors.ts'
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
  const ended = await Promise.all(serverDirectories(directory).map(stopDaemon))
  const count = ended.filter(Boolean).length
  if (count > 0) say(`Ended ${String(count)} ${count === 1 ? 'server' : 'servers'}.`)
  else if (record?.from !== 'docker') say('Nothing was running.')
  removeRecord(directory)
  if (!removeData) return
  const homes = [
    { home: kafkaDirectory(directory), isOurs: (names: readonly string[]) => names.every(isBroker) },
    { home: cassandraDirectory(directory), isOurs: (names: readonly string[]) => names.includes('cassandra.yaml') },
  ].filter(({ home }) => existsSync(home))
  for (const { home, isOurs } of homes) refuseOthers(home, isOurs)
  for (const { home } of homes) rmSync(home, { recursive: true, force: true })
  say('Their data are removed.')
}

/** `kafka` and `cassandra` are names that somebody's own directory may have as well. */
function refuseOthers(home: string, isOurs: (names: readonly string[]) => boolean): void {
  const isDirectory = lstatSync(home).isDirectory()
  const names = isDirectory ? readdirSync(home) : []
  if (isDirectory && (names.length === 0 || isOurs(names))) return
  throw new TidemarkError(
    'invalid-input',
    `${home} is not what services:up has made, and is left as it is: give the --dir that the servers were started with, or remove it by hand`,
    { details: { path: home } },
  )
}

function isBroker(name: string): boolean {
  return /^broker-\d$|^tls$/.test(name)
}
