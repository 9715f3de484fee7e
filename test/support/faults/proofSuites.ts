import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { table, type Proved } from './proofPage.ts'

/** What vitest's JSON reporter says, as far as it is used here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

const vitest = path.resolve('node_modules', 'vitest', 'vitest.mjs')

/** Runs the suites that take too long for every change, `*.long.test.ts`: each test in them must pass, and none be skipped. */
export function proveSuites(): Proved {
  const file = path.join(tmpdir(), `tidemark-suites-${String(process.pid)}.json`)
  const { status, stderr } = spawnSync(
    process.execPath,
    [vitest, 'run', '--project', 'long', '--reporter=json', `--outputFile=${file}`],
    { env: { ...process.env, TEST_LONG: '1', TEST_SERVERS: '1' }, encoding: 'utf8' },
  )
  try {
    const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as Report
    const all = testResults.flatMap(({ assertionResults }) => assertionResults)
    const wrong = all.flatMap(({ fullName, status: how, failureMessages }) =>
      how === 'passed' ? [] : [`${how}: ${fullName}\n${failureMessages.join('\n')}`],
    )
    if (status !== 0 && wrong.length === 0) wrong.push(`The suites ended with ${String(status)}\n${stderr}`)
    if (all.length === 0) wrong.push('There were no tests')
    return {
      wrong,
      figures: table(
        ['suite', 'tests, all passed'],
        testResults.map(({ name, assertionResults }) => [
          `\`${path.relative('.', name)}\``,
          String(assertionResults.length),
        ]),
      ),
    }
  } finally {
    rmSync(file, { force: true })
  }
}
