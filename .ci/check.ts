/**
 * `npm run check`: every check runs even when an earlier one failed, each prints its output only when it fails, and the
 * last line is `N passed, N failed`. `npm run check -- lint types` runs only the named ones.
 */
import { spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'

const checks: Readonly<Record<string, readonly string[]>> = {
  types: ['tsc', '--noEmit', '-p', 'tsconfig.json'],
  pageTypes: ['tsc', '--noEmit', '-p', 'src/dashboard/page/tsconfig.json'],
  lint: ['oxlint'],
  format: ['prettier', '--check', '--log-level', 'warn', '.'],
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
for (const [name, [command = '', ...args]] of Object.entries(checks)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const startedMs = performance.now()
  // npm puts node_modules/.bin first on the PATH, so a bare name is the pinned tool and runs on the pinned Node.
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20 })
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  if (status === 0) passed++
  else failed++
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${[command, ...args].join(' ')}, ${seconds} s)`)
  if (status !== 0) console.log(stripVTControlCharacters(`${stdout}${stderr}${error?.message ?? ''}`))
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
