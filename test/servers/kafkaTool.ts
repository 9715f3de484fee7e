import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import { messageOf, TidemarkError } from '../../src/core/errors.ts'
import { jarClassPath, type JarOptions } from './jars.ts'
import { findJava } from './java.ts'

/** Quick to start and small: these programs run for a second or two, or read at leisure. */
const toolOptions = ['-Xmx256m', '-Xshare:auto', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/**
 * Starts one of Kafka's own command line programs, by its Java class: `org.apache.kafka.tools.consumer.ConsoleConsumer`
 * is a reader that owes nothing to us. Who starts it reads its output and waits for its end.
 */
export async function startKafkaTool(
  mainClass: string,
  args: readonly string[],
  options: JarOptions = {},
): Promise<ChildProcessByStdio<null, Readable, Readable>> {
  const classPath = await jarClassPath('kafka', options)
  return spawn(findJava(options.environment), [...toolOptions, '-cp', classPath, mainClass, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs one to its end and gives what it printed; rejects with all of its output when it fails. */
export async function runKafkaTool(
  mainClass: string,
  args: readonly string[],
  options: JarOptions = {},
): Promise<string> {
  const tool = await startKafkaTool(mainClass, args, options)
  const output: string[] = []
  const errors: string[] = []
  tool.stdout.on('data', (data: Buffer) => output.push(data.toString()))
  tool.stderr.on('data', (data: Buffer) => errors.push(data.toString()))
  const ended = await new Promise<number | string | null>((resolve) => {
    tool.once('error', (error) => {
      resolve(messageOf(error))
    })
    tool.once('close', resolve)
  })
  if (ended === 0) return output.join('')
  throw new TidemarkError(
    'server-not-started',
    `Kafka's ${mainClass} failed (${String(ended)}): ${[...errors, ...output].join('').trim()}`,
  )
}
