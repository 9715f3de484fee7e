/**
 * `npm run check`: every check runs even when an earlier one failed, each prints its output only when it fails, and the
 * last line is `N passed, N failed`. `npm run check -- lint types` runs only the named ones.
 */
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify, stripVTControlCharacters } from 'node:util'

const execute = promisify(execFile)

const checks: Readonly<Record<string, readonly string[]>> = {
  format: ['prettier', '--check', '--log-level', 'warn', '.'],
  types: ['tsc', '--noEmit', '-p', 'tsconfig.json'],
  pageTypes: ['tsc', '--noEmit', '-p', 'src/dashboard/page/tsconfig.json'],
  lint: ['oxlint'],
  unused: ['knip', '--no-progress', '--treat-config-hints-as-errors'],
  architecture: ['vitest', 'run', 'test/architecture.test.ts', '--reporter=dot'],
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(`There is no check named ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}.`)
  process.exit(2)
}

let passed = 0
let failed = 0
const waiting = Object.entries(checks).filter(([name]) => asked.length === 0 || asked.includes(name))
// As many at a time as there are processors.
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(...next)
  }),
)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function run(name: string, [command = '', ...args]: readonly string[]): Promise<void> {
  const startedMs = performance.now()
  // npm puts node_modules/.bin first on the PATH, so a bare name is the pinned tool and runs on the pinned Node.
  const said = await execute(command, args, { maxBuffer: 64 << 20 }).then(
    () => null,
    (error: unknown) => {
      // What it has printed, or why it could not be started.
      const { stdout = '', stderr = '', message } = error as Partial<Record<'stdout' | 'stderr' | 'message', string>>
      return stdout + stderr || message
    },
  )
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  if (said === null) passed++
  else failed++
  console.log(`${said === null ? 'ok    ' : 'FAILED'} ${name} (${[command, ...args].join(' ')}, ${seconds} s)`)
  if (said !== null) console.log(stripVTControlCharacters(said ?? 'It failed and said nothing'))
}
