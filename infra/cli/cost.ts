import { alternativesTo } from '../model/alternatives.ts';
import { costOf } from '../model/bill.ts';
import { AWS, withQuotas } from '../model/parameters.ts';
import { planFor } from '../model/plan.ts';
import { PRICES } from '../model/prices.ts';
import { usageOf, workOf } from '../model/scenario.ts';
import { ArgumentError, parseRequest, type Request, USAGE } from './arguments.ts';
import { reportAlternatives, reportBill } from './report.ts';
import { reportPlan } from './report-plan.ts';
import { loadUsage } from './usage.ts';

async function answer(request: Request): Promise<string> {
  switch (request.kind) {
    case 'help':
      return USAGE;
    case 'run': {
      const usage = await loadUsage(request.from);
      const bill = costOf(usage, PRICES, request.deliveries);
      return request.json ? toJson({ usage, bill }) : reportBill(bill, PRICES);
    }
    case 'scenario': {
      const { scenario, json } = request;
      const bill = costOf(usageOf(scenario), PRICES, workOf(scenario).deliveries);
      const alternatives = alternativesTo(scenario, PRICES);
      if (json) return toJson({ scenario, bill, alternatives });
      return `${reportBill(bill, PRICES)}\n\n${reportAlternatives(bill, alternatives)}`;
    }
    case 'plan': {
      const plan = planFor(request, withQuotas(AWS, request.quotas));
      return request.json ? toJson(plan) : reportPlan(plan);
    }
  }
}

const toJson = (value: unknown): string => JSON.stringify(value, undefined, 2);

try {
  console.log(await answer(parseRequest(process.argv.slice(2))));
} catch (error) {
  if (!(error instanceof ArgumentError)) throw error;
  console.error(`${error.message} (--help says what there is)`);
  process.exitCode = 1;
}
