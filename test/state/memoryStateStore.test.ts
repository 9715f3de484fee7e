import { MemoryStateDisk, MemoryStateStore } from '../../src/state/memoryStateStore.ts'
import { stateStoreConformance } from '../conformance/stateStore.ts'

stateStoreConformance('memory', () => {
  const disk = new MemoryStateDisk()
  return Promise.resolve({ store: () => new MemoryStateStore(disk), remove: () => Promise.resolve() })
})
