import { testTopicContract } from "../_support/topic_contract.ts";
import { memory } from "../_support/topic_fixture.ts";

testTopicContract(memory);
