import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import path from 'node:path'
import type { FromAttackedJob, Sample } from './attackedJob.ts'
import { attackNames } from './attacks.ts'
import { table, type Proved } from './proofPage.ts'

const faults = path.join('test', 'support', 'faults')
/** The job has one processor, everybody else the other. */
const jobCore = '0'
const otherCore = '1'
const settleMs = 300
const measuredMs = 1_500
const mostSlowdown = 0.1
/** So many times the rounds, all of which count, where the first ones say that the job is slowed down too much. */
const doubtfulTimes = 5
/** Its budget is 4 %, and a little more after a rest. */
const mostPageShare = 0.07
const mostBackMs = 1_000
const tryMs = 50
const watchedMs = 3_000
const promptMs = 500

/** Of the job, over a while. */
interface Figures {
  readonly perSecond: number
  /** Of its processor, for the work on its records. */
  readonly workShare: number
  /** Of the job's processor, for the page's thread. */
  readonly pageShare: number
}

/**
 * What attacks on the page cost the job: while its page is attacked, against while the same attacker, on the same other
 * processor, attacks a server that is nothing to the job. Both by turns in one run; the median of the ratios counts. What
 * counts is how much of its processor the job has for the work on its records: its rate, if the processor were always as
 * fast. The rate itself moves by a fifth from one second to the next on a machine that others share, so that only its median
 * over all attacks says something. A ratio moves by a twentieth, so that few rounds may say what more of them do not. After each
 * attack the page must be back within a second.
 */
export async function proveAttacks({ rounds }: { readonly rounds: number }): Promise<Proved> {
  const children: ChildProcess[] = []
  const start = (core: string, file: string, ...args: readonly string[]): ChildProcess => {
    const program = [process.execPath, path.join(faults, file), ...args]
    const child = spawn('taskset', ['-c', core, ...program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    children.push(child)
    return child
  }
  try {
    const job = start(jobCore, 'attackedJob.ts')
    const samples: Sample[] = []
    const port = await new Promise<number>((resolve) => {
      job.on('message', (message: FromAttackedJob) => {
        if ('port' in message) resolve(message.port)
        else samples.push(message)
      })
    })
    const dummy = start(otherCore, 'attacks.ts', 'dummy')
    const [dummyPort] = (await once(dummy, 'message')) as [number]
    const attacked = async (name: string, at: number): Promise<Figures> => {
      const attacker = start(otherCore, 'attacks.ts', name, String(at))
      await wait(settleMs)
      const from = samples.length
      await wait(measuredMs)
      const figures = figuresOf(samples.slice(from))
      const killed = once(attacker, 'exit')
      attacker.kill('SIGKILL')
      await killed
      return figures
    }
    await wait(3_000)
    const wrong: string[] = []
    const rows: (readonly [string, string])[] = []
    const rates: number[] = []
    for (const name of attackNames) {
      const ratios: number[] = []
      const shares: number[] = []
      let latestBackMs = 0
      const isSlowed = (): boolean => medianOf(ratios) < 1 - mostSlowdown
      for (let round = 0, last = rounds; round < last; round += 1) {
        const control = await attacked(name, dummyPort)
        const { perSecond, workShare, pageShare } = await attacked(name, port)
        ratios.push(workShare / control.workShare)
        rates.push(perSecond / control.perSecond)
        shares.push(pageShare)
        latestBackMs = Math.max(latestBackMs, await backMs(port))
        if (round + 1 === rounds && isSlowed()) last = rounds * doubtfulTimes
      }
      const median = medianOf(ratios)
      const back = `${latestBackMs.toFixed(0)} ms`
      const more = ratios.length > rounds ? ` (${String(ratios.length)} rounds)` : ''
      const figures = `${percent(median)}; the page took ${percent(Math.max(...shares))} of the processor at most, and was back within ${back}${more}`
      process.stdout.write(`${name}: ${figures}; ${ratios.map(percent).join(', ')}\n`)
      rows.push([name, figures])
      if (isSlowed()) wrong.push(`${name}: the job works ${percent(median)} of the control`)
      if (Math.max(...shares) > mostPageShare)
        wrong.push(`${name}: the page took ${percent(Math.max(...shares))} of the processor`)
      if (latestBackMs > mostBackMs) wrong.push(`${name}: the page was back after ${back}`)
    }
    const rate = medianOf(rates)
    const spread = `${percent(Math.min(...rates))} to ${percent(Math.max(...rates))}`
    const inAll = `${percent(rate)}, the median of ${String(rates.length)} (${spread})`
    process.stdout.write(`records a second, in all: ${inAll}\n`)
    rows.push(['all of them, in records a second', inAll])
    if (rate < 1 - mostSlowdown) wrong.push(`the job reads ${percent(rate)} of the control's records a second`)
    return {
      wrong,
      figures: table(['attack on the page', "the job's work on its records, of that of the control"], rows),
    }
  } finally {
    for (const child of children) if (child.connected) child.disconnect()
    // In order: the job removes its directory then.
    await Promise.all(children.filter(isRunning).map((child) => once(child, 'exit')))
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null

function figuresOf(samples: readonly Sample[]): Figures {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined) throw new Error('The job told nothing')
  const records = last.records - first.records
  return {
    perSecond: (records * 1_000) / (last.atMs - first.atMs),
    workShare: (last.workMs - first.workMs) / (last.atMs - first.atMs),
    pageShare: (last.pageCpuMs - first.pageCpuMs) / (last.atMs - first.atMs),
  }
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`

/**
 * How long after the end of an attack the page is there for good: whoever asks for it from then on is answered promptly. A
 * connection for which the system had no place just after the attack is tried again by the system a second later.
 */
async function backMs(port: number): Promise<number> {
  const asked: { readonly atMs: number; answeredMs: number }[] = []
  const beganMs = performance.now()
  for (let atMs = 0; atMs < watchedMs; atMs = performance.now() - beganMs) {
    const one = { atMs, answeredMs: Infinity }
    asked.push(one)
    const sent = request({ port, host: '127.0.0.1', path: '/', agent: false }, (response) => {
      response.resume()
      if (response.statusCode === 200) one.answeredMs = performance.now() - beganMs
    })
    sent.on('error', () => undefined)
    sent.end()
    await wait(tryMs)
  }
  await wait(promptMs)
  const lastLate = asked.findLastIndex(({ atMs, answeredMs }) => answeredMs - atMs > promptMs)
  return lastLate < 0 ? 0 : (asked[lastLate + 1]?.atMs ?? Infinity)
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
