import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePorts, isFree } from '../../src/services/freePorts.ts'

describe('free ports', () => {
  it('are different, and below what outgoing connections are given', async () => {
    const ports = await freePorts(20)
    expect(new Set(ports).size).toBe(20)
    expect(Math.max(...ports)).toBeLessThan(32_768)
    expect(Math.min(...ports)).toBeGreaterThan(1024)
  })

  it('leave out a port that is taken', async () => {
    const server = createServer()
    const [taken = 0, other = 0] = await freePorts(2)
    await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve))
    const turns = [taken, other].values()
    // The random number that leads to a port, for as long as there are turns.
    const random = { next: () => ((turns.next().value ?? other) - 12_000 + 0.5) / 20_000, hex: () => '' }
    expect(await isFree(taken)).toBe(false)
    expect(await freePorts(1, random)).toEqual([other])
    server.close()
    await new Promise((resolve) => server.once('close', resolve))
    expect(await isFree(taken)).toBe(true)
  })

  it('give up with a reason when there are none', async () => {
    await expect(freePorts(2, { next: () => 0, hex: () => '' })).rejects.toThrow('No 2 free ports from 12000 to 31999')
  })
})
