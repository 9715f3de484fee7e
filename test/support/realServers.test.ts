import { expect, it } from 'vitest'
import { runCql } from '../servers/cqlWire.ts'
import { liveBrokers } from '../servers/kafkaWire.ts'
import { describeWithServers } from './realServers.ts'

describeWithServers('the shared servers of a run', ['kafka', 'cassandra'], (servers) => {
  it('answer their protocols', async () => {
    const [broker = ''] = servers.kafka().split(',')
    expect(await liveBrokers(broker)).not.toEqual([])
    const { contactPoints, datacenter } = servers.cassandra()
    const [address = ''] = contactPoints.split(',')
    await expect(runCql({ address }, ['SELECT data_center FROM system.local'])).resolves.toBeUndefined()
    expect(datacenter).not.toBe('')
  })
})
