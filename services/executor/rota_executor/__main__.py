from rota_chassis.lifecycle import main
from rota_executor.service import wiring
from rota_executor.settings import ExecutorSettings

if __name__ == "__main__":
    main("executor", ExecutorSettings, wiring)
