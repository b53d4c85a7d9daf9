import { Body, Get, HttpCode, Param, Post } from '@nestjs/common';
import { JobQueue } from '../platform/queue/job-queue.js';
import { JobQuery, RunJob, toJobView } from './job.dto.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { notFound, Problem } from './problem.js';
import { QueryParameters } from './query-parameters.js';

@OperatorController('jobs')
export class JobsController {
  constructor(private readonly queue: JobQueue) {}

  @Get()
  async list(@QueryParameters() { state, limit = 100 }: JobQuery): Promise<object> {
    const jobs = await this.queue.list(state ?? ['waiting', 'active', 'delayed', 'failed'], limit);
    return { jobs: jobs.map(toJobView) };
  }

  /** Runs a regular job now, besides its schedule. */
  @Post()
  @HttpCode(202)
  async run(@Body() { name }: RunJob): Promise<object> {
    const id = await this.queue.runNow(name);
    if (id === undefined)
      throw new Problem(404, 'job_not_found', 'no regular job has that name: others begin when something happens');
    return { id, name };
  }

  @Get(':id')
  async get(@Param('id', new NameOf('job')) id: string): Promise<object> {
    const job = await this.queue.find(id);
    if (!job) throw notFound('job');
    return toJobView(job);
  }

  /** Tries a job that failed, or waits for its next attempt, at once. */
  @Post(':id/retry')
  @HttpCode(202)
  async retry(@Param('id', new NameOf('job')) id: string): Promise<object> {
    if (!(await this.queue.retry(id))) throw notFound('job');
    return { status: 'waiting' };
  }
}
