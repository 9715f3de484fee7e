import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

/** What became of the trials of one kind of damage, by outcome. */
export type Outcomes = Readonly<Record<string, number>>

/** What a program of trials says of them, as one line of JSON. */
export interface TrialReport {
  readonly outcomes: Readonly<Record<string, Outcomes>>
  /** Empty when everything holds. */
  readonly wrong: readonly string[]
}

/** The programs that damage a kind of store, each in a process of its own, whose abort is seen that way. */
export const trialPrograms = {
  'keyed state': 'stateTrials.ts',
  'embedded store': 'embeddedTrials.ts',
} as const satisfies Record<string, string>

export type TrialStore = keyof typeof trialPrograms

/** Runs trials of one kind of store in a process of their own. */
export async function runTrials(store: TrialStore, trials: number, seed: number): Promise<TrialReport> {
  const program = path.join(import.meta.dirname, trialPrograms[store])
  const child = spawn(process.execPath, [program, String(trials), String(seed)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  const errors: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0) {
    const ending = `The process ended with ${String(code ?? signal)}: ${errors.join('').slice(-2_000)}`
    return { outcomes: {}, wrong: [ending] }
  }
  return JSON.parse(said.join('')) as TrialReport
}

/** How many trials there were, and how many of them with each outcome. */
export function sumOf({ outcomes }: TrialReport): Outcomes & { readonly all: number } {
  const sum: Record<string, number> = {}
  let all = 0
  for (const [outcome, count] of Object.values(outcomes).flatMap((each) => Object.entries(each))) {
    sum[outcome] = (sum[outcome] ?? 0) + count
    all += count
  }
  return { ...sum, all }
}
