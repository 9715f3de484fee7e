import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { verifyLevel } from '../../src/leveldb/verifyLevel.ts'
import { readStore, removeStore, temporaryDirectory } from '../support/damage/randomStore.ts'

const writer = path.join(import.meta.dirname, '../support/damage/writeUntilKilled.ts')
const made: string[] = []
afterAll(async () => {
  for (const directory of made) await removeStore(directory)
})

test('what LevelDB leaves when its process is killed in the middle of writes has no damage', async () => {
  const directory = path.join(await temporaryDirectory(), 'store')
  made.push(directory)
  for (let kill = 0; kill < 4; kill += 1) {
    const child = spawn(process.execPath, [writer, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 150 + kill * 100))
    child.kill('SIGKILL')
    await once(child, 'exit')
    const findings = await verifyLevel(directory)
    expect(findings).toMatchObject({ found: 'database', damages: [] })
    // What is torn is left out by LevelDB, and what it leaves after that is whole.
    expect((await readStore(directory)).size).toBeGreaterThan(0)
    expect(await verifyLevel(directory)).toMatchObject({
      found: 'database',
      damages: [],
      tornTail: null,
      tornManifest: null,
    })
  }
})
