import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Random } from '../../src/core/ports/random.ts'
import { freePorts, isFree } from './freePorts.ts'

const used = new Set<number>()

describe('free ports', () => {
  it('are different, and below what outgoing connections are given', async () => {
    const ports = await freePorts(20)
    for (const port of ports) used.add(port)
    expect(new Set(ports).size).toBe(20)
    expect(Math.max(...ports)).toBeLessThan(32_768)
    expect(Math.min(...ports)).toBeGreaterThan(1024)
  })

  it('leave out a port that is taken', async () => {
    const server = createServer()
    const taken = await unusedPort()
    const other = await unusedPort()
    await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve))
    expect(await isFree(taken)).toBe(false)
    expect(await freePorts(1, leadingTo(taken, other))).toEqual([other])
    server.close()
    await new Promise((resolve) => server.once('close', resolve))
    expect(await isFree(taken)).toBe(true)
  })

  it('are not given to another server while the first one is still starting', async () => {
    const first = await unusedPort()
    const second = await unusedPort()
    const both = [freePorts(1, leadingTo(first, second)), freePorts(1, leadingTo(first, second))]
    expect((await Promise.all(both)).flat()).toEqual([first, second])
  })

  it('give up with a reason when there are none', async () => {
    await expect(freePorts(2, { next: () => 0, hex: () => '' })).rejects.toThrow('No 2 free ports from 12000 to 31999')
  })
})

/** A port that no test here has had. */
async function unusedPort(): Promise<number> {
  let port = 20_000
  while (used.has(port) || !(await isFree(port))) port += 1
  used.add(port)
  return port
}

/** Random numbers that lead to these ports, and to the last of them for ever. */
function leadingTo(...ports: readonly number[]): Random {
  const turns = ports.values()
  return { next: () => ((turns.next().value ?? ports.at(-1) ?? 0) - 12_000 + 0.5) / 20_000, hex: () => '' }
}
