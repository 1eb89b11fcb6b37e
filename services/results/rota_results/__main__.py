from rota_chassis.lifecycle import main
from rota_results.service import wiring
from rota_results.settings import ResultsSettings

if __name__ == "__main__":
    main("results", ResultsSettings, wiring)
