import { watchedJob } from '../watchedJob.ts'
import count from './count.ts'

export default watchedJob(count)
