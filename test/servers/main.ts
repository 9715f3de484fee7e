/** `npm run services:up`, `services:down` and `services:status`: Kafka and Cassandra on this machine. */
import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'
import { visibleLines } from '../../src/core/visible.ts'
import { servicesDown } from './servicesDown.ts'
import { servicesStatus } from './servicesStatus.ts'
import { servicesUp } from './servicesUp.ts'

const usage = `Kafka and Cassandra on this machine, for jobs and tests.

  npm run services:up -- [options]      start both, print the settings to export
      --with-tables                     make the topics of deploy/topics.txt and the tables of deploy/tables.cql
      --kafka-port N                    9092
      --cassandra-port N                9042
      --brokers 1|3                     1; three take this port and the next two
      --from docker|jars                Docker where an engine answers, else jars (needs Java 17 and Maven)
  npm run services:status               which of them answer; exit code 3 when one does not
  npm run services:down -- [options]    end them
      --remove-data                     and remove their data; asks first
      --yes                             do not ask
  All: --dir PATH                       where data, logs and process ids lie: .tidemark-services
`

const say = (line: string): void => {
  process.stdout.write(`${visibleLines(line)}\n`)
}

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${visibleLines(messageOf(error))}\n`)
  if (!(error instanceof TidemarkError)) return 1
  return error.code === 'invalid-argument' ? 2 : 1
})

async function run(args: readonly string[]): Promise<number> {
  const { command, values } = parse(args)
  const directory = resolve(values.dir ?? '.tidemark-services')
  if (command === 'up') {
    await servicesUp(
      {
        directory,
        kafkaPort: port('--kafka-port', values['kafka-port'] ?? '9092'),
        cassandraPort: port('--cassandra-port', values['cassandra-port'] ?? '9042'),
        brokers: oneOf('--brokers', values.brokers ?? '1', ['1', '3']) === '3' ? 3 : 1,
        from: values.from === undefined ? undefined : oneOf('--from', values.from, ['docker', 'jars']),
        withTables: values['with-tables'] ?? false,
      },
      say,
    )
    return 0
  }
  if (command === 'down') {
    const removeData = values['remove-data'] ?? false
    if (removeData && values.yes !== true && !(await mayRemove(directory))) return 2
    await servicesDown(directory, removeData, say)
    return 0
  }
  if (command === 'status') {
    const servers = await servicesStatus(directory)
    for (const { name, address, up, detail } of servers) say(`${up ? 'up  ' : 'down'} ${name} ${address} (${detail})`)
    if (servers.length === 0) say('Nothing was started: npm run services:up')
    return servers.length > 0 && servers.every(({ up }) => up) ? 0 : 3
  }
  say(usage)
  return command === 'help' ? 0 : 2
}

/** Asks a person; only --yes stands for an answer. */
async function mayRemove(directory: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    process.stderr.write(
      `--remove-data deletes all data of Kafka and Cassandra under ${directory}. Nobody can be asked here (no terminal), so nothing was changed: add --yes if that is meant.\n`,
    )
    return false
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`Delete all data of Kafka and Cassandra under ${directory}? [y/N] `)
    if (/^\s*y(es)?\s*$/i.test(answer)) return true
    say('Nothing was changed.')
    return false
  } finally {
    terminal.close()
  }
}

function parse(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'kafka-port': { type: 'string' },
        'cassandra-port': { type: 'string' },
        brokers: { type: 'string' },
        from: { type: 'string' },
        'with-tables': { type: 'boolean' },
        'remove-data': { type: 'boolean' },
        yes: { type: 'boolean' },
        dir: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
    return { command: values.help === true ? 'help' : positionals[0], values }
  } catch (error) {
    throw new TidemarkError('invalid-argument', `${messageOf(error)}\n\n${usage}`)
  }
}

function port(option: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0 && value < 65_534) return value
  throw new TidemarkError('invalid-argument', `${option} needs a port number, not ${text}`)
}

function oneOf<const Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === text)
  if (word !== undefined) return word
  throw new TidemarkError('invalid-argument', `${option} needs ${words.join(' or ')}, not ${text}`)
}
